// The 3-D view of the grains: plain WebGL2, spheres drawn as shaded discs with true depth.
// Orthographic; sample axes of the first state; all numbers come from the page's own data.
(() => {
  "use strict";
  const root = document.getElementById("viewer");
  const find = (selector) => root.querySelector(selector);
  const words = JSON.parse(find(".viewer-words").textContent);

  const array = (name, Type) => {
    const block = find(`script[data-array="${name}"]`);
    if (!block) return null;
    const bytes = Uint8Array.from(atob(block.textContent), (c) => c.charCodeAt(0));
    return new Type(bytes.buffer);
  };

  const canvas = find("canvas");
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: true, preserveDrawingBuffer: true });
  if (!gl) {
    find(".viewer-missing").hidden = false;
    return;
  }
  find(".viewer-body").hidden = false;

  // ---- data -------------------------------------------------------------------------------
  const coded = array("position", Uint16Array);
  const codedRadius = array("radius", Uint16Array);
  const life = array("life", Int32Array);
  const id = array("id", Int32Array);
  const phase = array("phase", Uint8Array);
  const ipf = array("ipf", Uint8Array);
  const fields = words.fields.map((field, k) => ({
    ...field,
    value: array(`value${k}`, Uint16Array),
    sigma: array(`error${k}`, Uint16Array),
  }));
  const decode = (code, low, high) => (code === 65535 ? NaN : low + (code / 65534) * (high - low));
  const valueOf = (field, row) => decode(field.value[row], field.low, field.high);
  const errorOf = (field, row) => (field.sigma ? decode(field.sigma[row], ...field.error) : NaN);
  const place = new Float32Array(coded.length);
  for (let i = 0; i < coded.length; i++) {
    place[i] = decode(coded[i], words.low[i % 3], words.high[i % 3]);
  }
  const size = Float32Array.from(codedRadius, (code) => decode(code, 0, words.radius) || 1);
  const first = words.counts.map((_, s) => words.counts.slice(0, s).reduce((a, b) => a + b, 0));

  // rows of each life, state by state; -1 where the grain was not found
  const rowsOfLife = new Map();
  words.counts.forEach((count, s) => {
    for (let row = first[s]; row < first[s] + count; row++) {
      if (!rowsOfLife.has(life[row])) rowsOfLife.set(life[row], words.counts.map(() => -1));
      rowsOfLife.get(life[row])[s] = row;
    }
  });

  // ---- what is shown ----------------------------------------------------------------------
  const [diameter, bottom, top] = words.pellet;
  const middle = [0, 1].map((k) => (words.low[k] + words.high[k]) / 2).concat((bottom + top) / 2);
  const FIRST_VIEW = [-58, 24];
  const shown = {
    state: words.counts.length - 1,
    colour: "0",
    extreme: 0,
    threshold: 0,
    ghosts: true,
    axis: "",
    clip: 500,
    flip: false,
    azimuth: FIRST_VIEW[0],
    elevation: FIRST_VIEW[1],
    zoom: 1,
    picked: -1,
  };

  const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  const ramp = (stops, t) => {
    const x = Math.min(0.999999, Math.max(0, t)) * (stops.length - 1);
    const k = Math.floor(x);
    const [a, b] = [rgb(stops[k]), rgb(stops[k + 1])];
    return a.map((value, c) => value + (x - k) * (b[c] - value));
  };
  const stopsOf = (field) => (field.diverging ? words.diverging : words.sequential);
  const tables = fields.map((field) =>
    Array.from({ length: 256 }, (_, k) => ramp(stopsOf(field), k / 255)));
  const phaseColours = words.phases.map((_, k) => rgb(words.series[k % words.series.length]));

  // how far from ordinary a grain is, in the field that decides what is solid
  const magnitude = (row) => {
    const field = fields[shown.extreme];
    const value = valueOf(field, row);
    return field.diverging ? Math.abs(value) : value;
  };
  const reachOf = (field) =>
    field.diverging ? [0, Math.max(-field.low, field.high)] : [field.low, field.high];
  const thresholdValue = () => {
    const [low, high] = reachOf(fields[shown.extreme]);
    return low + (shown.threshold / 1000) * (high - low);
  };
  // a threshold that leaves the most extreme hundredth, and at least forty grains
  const openingThreshold = () => {
    const s = shown.state;
    const all = [];
    for (let row = first[s]; row < first[s] + words.counts[s]; row++) {
      if (!Number.isNaN(magnitude(row))) all.push(magnitude(row));
    }
    if (!all.length) return 0;
    all.sort((a, b) => b - a);
    const [low, high] = reachOf(fields[shown.extreme]);
    const value = all[Math.min(all.length - 1, Math.max(40, Math.round(all.length / 100)))];
    return high > low ? Math.floor((1000 * (value - low)) / (high - low)) : 0;
  };
  const beyondClip = (row) => {
    if (shown.axis === "") return false;
    const k = Number(shown.axis);
    const at = words.low[k] + (shown.clip / 1000) * (words.high[k] - words.low[k]);
    return (place[3 * row + k] > at) !== shown.flip;
  };
  const colourOf = (row) => {
    if (shown.colour === "ipf") return [ipf[3 * row], ipf[3 * row + 1], ipf[3 * row + 2]];
    if (shown.colour === "phase") return phaseColours[phase[row]];
    const k = Number(shown.colour);
    const [low, high] = fields[k].scale;
    const value = valueOf(fields[k], row);
    if (Number.isNaN(value)) return [255, 255, 255];
    const t = (value - low) / (high - low || 1);
    return tables[k][Math.round(255 * Math.min(1, Math.max(0, t)))];
  };

  // ---- WebGL ------------------------------------------------------------------------------
  const compile = (kind, source) => {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) {
      throw new Error(gl.getShaderInfoLog(shader));
    }
    return shader;
  };
  const program = (vertex, fragment) => {
    const made = gl.createProgram();
    gl.attachShader(made, compile(gl.VERTEX_SHADER, vertex));
    gl.attachShader(made, compile(gl.FRAGMENT_SHADER, fragment));
    gl.linkProgram(made);
    return made;
  };
  const grainProgram = program(
    `#version 300 es
    in vec2 corner; in vec4 sphere; in vec4 colour;
    uniform mat3 turn; uniform vec3 middle; uniform vec2 scale; uniform float depth;
    out vec2 c; out vec4 tint; out vec2 near;
    void main() {
      vec3 v = turn * (sphere.xyz - middle);
      c = corner; tint = colour; near = vec2(v.z, sphere.w) / depth;
      gl_Position = vec4((v.xy + corner * sphere.w) * scale, -near.x, 1.0);
    }`,
    `#version 300 es
    precision highp float;
    in vec2 c; in vec4 tint; in vec2 near; uniform float ghost; out vec4 result;
    void main() {
      float q = dot(c, c);
      if (q > 1.0) discard;
      float height = sqrt(1.0 - q);
      gl_FragDepth = 0.5 - 0.5 * (near.x + near.y * height);
      if (ghost > 0.0) {
        result = vec4(mix(tint.rgb, vec3(0.62), 0.65), ghost * (0.35 + 0.65 * q * q));
      } else {
        float light = 0.62 + 0.38 * max(0.0, dot(vec3(c, height), vec3(-0.42, 0.52, 0.743)));
        float shine = pow(max(0.0, dot(vec3(c, height), vec3(-0.25, 0.31, 0.917))), 40.0);
        result = vec4(tint.rgb * light * (1.0 - 0.45 * smoothstep(0.86, 1.0, q)) + 0.18 * shine, 1.0);
      }
    }`);
  const lineProgram = program(
    `#version 300 es
    in vec3 point; uniform mat3 turn; uniform vec3 middle; uniform vec2 scale; uniform float depth;
    void main() {
      vec3 v = turn * (point - middle);
      gl_Position = vec4(v.xy * scale, -v.z / depth, 1.0);
    }`,
    `#version 300 es
    precision mediump float; out vec4 result;
    void main() { result = vec4(0.45, 0.45, 0.45, 1.0); }`);

  const attribute = (owner, name, buffer, count, kind, normal, divisor) => {
    const at = gl.getAttribLocation(owner, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, count, kind, normal, 0, 0);
    gl.vertexAttribDivisor(at, divisor);
  };
  const filled = (data) => {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    return buffer;
  };
  const corners = filled(new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]));
  const layer = () => {
    const made = { spheres: gl.createBuffer(), colours: gl.createBuffer(), count: 0 };
    made.vertices = gl.createVertexArray();
    gl.bindVertexArray(made.vertices);
    attribute(grainProgram, "corner", corners, 2, gl.FLOAT, false, 0);
    attribute(grainProgram, "sphere", made.spheres, 4, gl.FLOAT, false, 1);
    attribute(grainProgram, "colour", made.colours, 4, gl.UNSIGNED_BYTE, true, 1);
    return made;
  };
  const solid = layer();
  const ghost = layer();
  const fill = (target, rows) => {
    const spheres = new Float32Array(4 * rows.length);
    const colours = new Uint8Array(4 * rows.length);
    rows.forEach((row, i) => {
      spheres.set([place[3 * row], place[3 * row + 1], place[3 * row + 2], size[row]], 4 * i);
      colours.set([...colourOf(row), 255], 4 * i);
    });
    gl.bindBuffer(gl.ARRAY_BUFFER, target.spheres);
    gl.bufferData(gl.ARRAY_BUFFER, spheres, gl.DYNAMIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, target.colours);
    gl.bufferData(gl.ARRAY_BUFFER, colours, gl.DYNAMIC_DRAW);
    target.count = rows.length;
  };
  const outline = [];
  const RING = 96;
  for (const z of [bottom, top]) {
    for (let k = 0; k < RING; k++) {
      for (const step of [k, k + 1]) {
        const angle = (2 * Math.PI * step) / RING;
        outline.push(middle[0] + (diameter / 2) * Math.cos(angle),
          middle[1] + (diameter / 2) * Math.sin(angle), z);
      }
    }
  }
  const rings = outline.length / 3;
  const lineBuffer = filled(new Float32Array(outline.concat([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])));
  const lineVertices = gl.createVertexArray();
  gl.bindVertexArray(lineVertices);
  attribute(lineProgram, "point", lineBuffer, 3, gl.FLOAT, false, 0);

  // ---- camera -----------------------------------------------------------------------------
  const camera = () => {
    const [a, e] = [shown.azimuth, shown.elevation].map((angle) => (angle * Math.PI) / 180);
    const toEye = [Math.cos(e) * Math.cos(a), Math.cos(e) * Math.sin(a), Math.sin(e)];
    const right = [-Math.sin(a), Math.cos(a), 0];
    const up = [
      toEye[1] * right[2] - toEye[2] * right[1],
      toEye[2] * right[0] - toEye[0] * right[2],
      toEye[0] * right[1] - toEye[1] * right[0],
    ];
    const [w, h] = [canvas.clientWidth || 1, canvas.clientHeight || 1];
    const high = (top - bottom) * Math.cos(e) + diameter * Math.abs(Math.sin(e));
    const perPixel = Math.max(high / (h - 110), diameter / (w - 60)) / shown.zoom;
    return { right, up, toEye, w, h, perPixel, depth: 2 * Math.hypot(diameter, top - bottom) };
  };
  const project = (view, point) => {
    const d = point.map((value, k) => value - middle[k]);
    const along = (axis) => axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2];
    return [
      view.w / 2 + along(view.right) / view.perPixel,
      view.h / 2 - along(view.up) / view.perPixel,
      along(view.toEye),
    ];
  };
  const uniforms = (owner, view) => {
    gl.useProgram(owner);
    const at = (name) => gl.getUniformLocation(owner, name);
    const { right, up, toEye } = view;
    gl.uniformMatrix3fv(at("turn"), false,
      [0, 1, 2].flatMap((k) => [right[k], up[k], toEye[k]]));
    gl.uniform3fv(at("middle"), middle);
    gl.uniform2f(at("scale"), 2 / (view.w * view.perPixel), 2 / (view.h * view.perPixel));
    gl.uniform1f(at("depth"), view.depth);
    return at;
  };

  const draw = () => {
    const ratio = window.devicePixelRatio || 1;
    const view = camera();
    canvas.width = Math.round(view.w * ratio);
    canvas.height = Math.round(view.h * ratio);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(1, 1, 1, 1);
    gl.enable(gl.DEPTH_TEST);
    gl.depthMask(true);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.disable(gl.BLEND);
    drawOutline(view);
    const at = uniforms(grainProgram, view);
    gl.uniform1f(at("ghost"), 0);
    gl.bindVertexArray(solid.vertices);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, solid.count);
    if (ghost.count) {
      // the more ghosts, the fainter each, so that the haze stays the same
      gl.uniform1f(at("ghost"), Math.min(0.3, 8.5 / Math.sqrt(ghost.count)));
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
      gl.depthMask(false);
      gl.bindVertexArray(ghost.vertices);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, ghost.count);
      gl.depthMask(true);
    }
    drawOverlay(view);
  };
  const drawOutline = (view) => {
    uniforms(lineProgram, view);
    const side = [1, -1].flatMap((sign) => [bottom, top].flatMap((z) => [
      middle[0] + (sign * view.right[0] * diameter) / 2,
      middle[1] + (sign * view.right[1] * diameter) / 2, z]));
    gl.bindVertexArray(lineVertices);
    gl.bindBuffer(gl.ARRAY_BUFFER, lineBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 4 * outline.length, new Float32Array(side));
    gl.drawArrays(gl.LINES, 0, rings + 4);
  };

  // ---- overlay: axes, scale bar, ring around the picked grain -------------------------------
  const overlay = find(".viewer-overlay");
  const NICE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
  const drawOverlay = (view) => {
    const origin = [44, view.h - 44];
    let marks = "";
    ["x", "y", "z"].forEach((name, k) => {
      const tip = [view.right[k], -view.up[k]].map((part) => 26 * part);
      const [x, y] = [origin[0] + tip[0], origin[1] + tip[1]];
      marks += `<line x1="${origin[0]}" y1="${origin[1]}" x2="${x}" y2="${y}"/>`;
      if (Math.hypot(...tip) > 6) {
        marks += `<text x="${origin[0] + 1.35 * tip[0]}" y="${origin[1] + 1.35 * tip[1] + 4}"
          text-anchor="middle">${name}</text>`;
      }
    });
    const length = NICE.filter((l) => l / view.perPixel < 130).pop() || NICE[0];
    const [x1, y1] = [view.w - 16, view.h - 16];
    marks += `<line x1="${x1 - length / view.perPixel}" y1="${y1}" x2="${x1}" y2="${y1}"/>
      <text x="${x1}" y="${y1 - 6}" text-anchor="end">${length} µm</text>`;
    const row = pickedRow();
    if (row >= 0) {
      const [x, y] = project(view, Array.from(place.subarray(3 * row, 3 * row + 3)));
      marks += `<circle cx="${x}" cy="${y}" r="${size[row] / view.perPixel + 4}" fill="none"
        stroke="#000" stroke-width="1.5"/>`;
    }
    overlay.innerHTML = marks;
  };
  const pickedRow = () =>
    shown.picked < 0 ? -1 : rowsOfLife.get(shown.picked)[shown.state];

  // ---- words ------------------------------------------------------------------------------
  const text = (value) => {
    const node = document.createElement("span");
    node.textContent = value;
    return node.innerHTML;
  };
  const number = (value) => {
    if (Number.isNaN(value)) return "–";
    if (value === 0) return "0";
    const digits = Math.abs(value) >= 10 ? 0 : Math.abs(value) >= 1 ? 1 : 2;
    return value.toFixed(digits).replace("-", "−");
  };
  const unitOf = (field) => (field.unit ? ` ${field.unit}` : "");
  const legend = find(".viewer-legend");
  const writeLegend = () => {
    if (shown.colour === "ipf") {
      legend.innerHTML = "<b>crystal direction along z</b><br>" +
        [["#f00", "⟨001⟩"], ["#0f0", "⟨101⟩"], ["#00f", "⟨111⟩"]].map(([c, name]) =>
          `<span class="chip" style="background:${c}"></span>${name}`).join("<br>");
    } else if (shown.colour === "phase") {
      legend.innerHTML = "<b>phase</b><br>" + words.phases.map((name, k) =>
        `<span class="chip" style="background:rgb(${phaseColours[k]})"></span>${text(name)}`)
        .join("<br>");
    } else {
      const field = fields[Number(shown.colour)];
      legend.innerHTML = `<b>${text(field.label)}${field.unit ? ` (${text(field.unit)})` : ""}</b>
        <div class="bar" style="background:linear-gradient(90deg,${stopsOf(field).join(",")})"></div>
        <div class="ends"><span>${number(field.scale[0])}</span>
        <span>${field.diverging ? "0" : ""}</span><span>${number(field.scale[1])}</span></div>`;
    }
  };
  const writeControls = (solidCount) => {
    const output = (name, value) => { find(`output[data-for="${name}"]`).textContent = value; };
    output("state", words.states[shown.state]);
    const field = fields[shown.extreme];
    const sign = field.diverging ? "|" : "";
    const tag = field.label.replace(/ *\(.*/, "");
    output("threshold",
      `${sign}${tag}${sign} ≥ ${number(thresholdValue())}${unitOf(field)}, ${solidCount} grains`);
    const k = Number(shown.axis);
    const at = words.low[k] + (shown.clip / 1000) * (words.high[k] - words.low[k]);
    output("clip", shown.axis === "" ? "" : `at ${number(at)} µm`);
    root.dataset.solid = solidCount;
    root.dataset.state = shown.state;
  };

  const rowsShown = () => {
    const [solids, ghosts] = [[], []];
    const limit = thresholdValue();
    const s = shown.state;
    const chosen = pickedRow();
    for (let row = first[s]; row < first[s] + words.counts[s]; row++) {
      if (beyondClip(row)) continue;
      if (magnitude(row) >= limit || row === chosen) solids.push(row);
      else if (shown.ghosts) ghosts.push(row);
    }
    return [solids, ghosts];
  };
  const update = () => {
    const [solids, ghosts] = rowsShown();
    fill(solid, solids);
    fill(ghost, ghosts);
    writeControls(solids.length);
    writeLegend();
    draw();
  };

  // ---- the life of one grain ----------------------------------------------------------------
  const lifePanel = find(".viewer-life");
  const writeLife = () => {
    if (shown.picked < 0) return;
    const rows = rowsOfLife.get(shown.picked);
    const row = rows[shown.state];
    const known = row >= 0 ? row : rows.find((r) => r >= 0);
    const field = fields[/^\d+$/.test(shown.colour) ? Number(shown.colour) : shown.extreme];
    const name = row >= 0 ? `Grain ${id[row]} in ${text(words.states[shown.state])}`
      : `Not found in ${text(words.states[shown.state])}`;
    const spot = Array.from(place.subarray(3 * known, 3 * known + 3)).map(number).join(", ");
    const listed = rows.map((r, s) => `<tr${s === shown.state ? ' class="here"' : ""}>
      <th scope="row">${text(words.states[s])}</th><td>${r < 0 ? "not found" : id[r]}</td>
      <td>${r < 0 ? "–" : number(valueOf(field, r))}${
        r >= 0 && !Number.isNaN(errorOf(field, r)) ? ` ± ${number(errorOf(field, r))}` : ""}</td>
      </tr>`).join("");
    lifePanel.innerHTML = `<h4>${name}</h4>
      <p>at ${spot} µm, ${text(words.phases[phase[known]])}, radius ${number(size[known])} µm</p>
      ${chart(field, rows)}
      <table><thead><tr><th scope="col">state</th><th scope="col">id</th>
      <th scope="col">${text(field.label)}${field.unit ? ` (${text(field.unit)})` : ""}</th></tr></thead>
      <tbody>${listed}</tbody></table>
      <p class="hint">± and bars: one standard error (68 %), random part.</p>`;
  };
  const chart = (field, rows) => {
    const points = rows.map((r, s) => [s, r < 0 ? NaN : valueOf(field, r),
      r < 0 ? NaN : errorOf(field, r) || 0]).filter((p) => !Number.isNaN(p[1]));
    const low = Math.min(...points.map((p) => p[1] - 2 * p[2]), field.diverging ? 0 : Infinity);
    const high = Math.max(...points.map((p) => p[1] + 2 * p[2]), field.diverging ? 0 : -Infinity);
    const x = (s) => 34 + (s * 196) / Math.max(1, rows.length - 1);
    const y = (v) => 100 - (92 * (v - low)) / (high - low || 1);
    const line = points.map((p) => `${x(p[0])},${y(p[1])}`).join(" ");
    const bars = points.map((p) => `<line x1="${x(p[0])}" x2="${x(p[0])}" y1="${y(p[1] - p[2])}"
      y2="${y(p[1] + p[2])}" stroke="#0072b2"/><circle cx="${x(p[0])}" cy="${y(p[1])}" r="3"
      fill="${p[0] === shown.state ? "#000" : "#0072b2"}"/>`).join("");
    const zero = field.diverging ? `<line x1="34" x2="236" y1="${y(0)}" y2="${y(0)}"
      stroke="#999" stroke-dasharray="3 3"/>` : "";
    return `<svg viewBox="0 0 240 108" role="img" aria-label="${text(field.label)} by state">${zero}
      <polyline points="${line}" fill="none" stroke="#0072b2" stroke-width="1.2"/>${bars}
      <text x="30" y="${y(high) + 4}" text-anchor="end" font-size="10">${number(high)}</text>
      <text x="30" y="${y(low) + 3}" text-anchor="end" font-size="10">${number(low)}</text>
      <text x="34" y="8" font-size="9">${text(field.unit || "")} (bars 68 %)</text></svg>`;
  };
  const pick = (px, py) => {
    const view = camera();
    const hit = (rows) => {
      let best = -1;
      let nearest = -Infinity;
      for (const row of rows) {
        const [x, y, near] = project(view, [place[3 * row], place[3 * row + 1], place[3 * row + 2]]);
        const off = Math.hypot(x - px, y - py) * view.perPixel;
        if (off > size[row]) continue;
        const front = near + Math.sqrt(size[row] ** 2 - off ** 2);
        if (front > nearest) [best, nearest] = [row, front];
      }
      return best;
    };
    const [solids, ghosts] = rowsShown();
    const found = hit(solids);
    const row = found >= 0 ? found : hit(ghosts);
    shown.picked = row < 0 ? -1 : life[row];
    if (row < 0) lifePanel.innerHTML = '<p class="hint">Click a grain to see its life.</p>';
    update();
    writeLife();
  };

  // ---- controls ---------------------------------------------------------------------------
  const control = (name) => find(`[name="${name}"]`);
  const select = control("colour");
  fields.forEach((field, k) => select.add(new Option(field.label, String(k))));
  if (ipf) select.add(new Option("orientation (IPF, z)", "ipf"));
  select.add(new Option("phase", "phase"));
  control("state").max = words.counts.length - 1;
  control("state").value = shown.state;
  control("state").disabled = words.counts.length < 2;

  control("state").addEventListener("input", (event) => {
    shown.state = Number(event.target.value);
    update();
    writeLife();
  });
  select.addEventListener("input", () => {
    shown.colour = select.value;
    if (/^\d+$/.test(shown.colour)) {
      shown.extreme = Number(shown.colour);
      shown.threshold = openingThreshold();
      control("threshold").value = shown.threshold;
    }
    update();
    writeLife();
  });
  control("threshold").addEventListener("input", (event) => {
    shown.threshold = Number(event.target.value);
    update();
  });
  control("ghosts").addEventListener("change", (event) => {
    shown.ghosts = event.target.checked;
    update();
  });
  control("axis").addEventListener("input", (event) => {
    shown.axis = event.target.value;
    control("clip").disabled = control("flip").disabled = shown.axis === "";
    update();
  });
  control("clip").addEventListener("input", (event) => {
    shown.clip = Number(event.target.value);
    update();
  });
  control("flip").addEventListener("change", (event) => {
    shown.flip = event.target.checked;
    update();
  });
  root.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => {
    [shown.azimuth, shown.elevation] = button.dataset.view.split(",").map(Number);
    shown.zoom = 1;
    draw();
  }));

  let pressed = null;
  canvas.addEventListener("pointerdown", (event) => {
    pressed = [event.offsetX, event.offsetY];
    canvas.setPointerCapture(event.pointerId);
  });
  const turn = (dx, dy) => {
    shown.azimuth -= dx;
    shown.elevation = Math.max(-90, Math.min(90, shown.elevation + dy));
    draw();
  };
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) turn(event.movementX / 2.5, event.movementY / 2.5);
  });
  canvas.addEventListener("pointerup", (event) => {
    const still = pressed && Math.hypot(event.offsetX - pressed[0], event.offsetY - pressed[1]) < 4;
    if (still) pick(event.offsetX, event.offsetY);
    pressed = null;
  });
  const zoom = (factor) => {
    shown.zoom = Math.max(0.5, Math.min(20, shown.zoom * factor));
    draw();
  };
  // only once the view has the focus, so that the page still scrolls over it
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 800));
  }, { passive: false });
  const keys = {
    ArrowLeft: () => turn(-8, 0), ArrowRight: () => turn(8, 0), ArrowUp: () => turn(0, 6),
    ArrowDown: () => turn(0, -6), "+": () => zoom(1.15), "-": () => zoom(1 / 1.15),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  new ResizeObserver(draw).observe(canvas);

  shown.threshold = openingThreshold();
  control("threshold").value = shown.threshold;
  update();
})();
