"""The report: one figure per file, one page, one viewer."""

from mesolith.pipeline.technique import Figure

FIGURES: tuple[Figure, ...] = (
    Figure("story", "The cell at a glance", "", "mesolith.report.figure_story:draw"),
    Figure(
        "stress_by_state",
        "Hydrostatic stress by state",
        "after Dixit 2022, Figs. 1c, S4",
        "mesolith.report.figure_stress_by_state:draw",
    ),
    Figure(
        "von_mises_by_state",
        "Von Mises stress by state",
        "after Dixit 2022, Fig. S5",
        "mesolith.report.figure_stress_by_state:draw_von_mises",
    ),
    Figure(
        "extremes",
        "The most extreme grains, net of noise",
        "",
        "mesolith.report.figure_extremes:draw",
    ),
    Figure(
        "stiffness",
        "Stress under the stiffness of either doping",
        "",
        "mesolith.report.figure_stiffness:draw",
    ),
    Figure(
        "tracking",
        "Grains followed from state to state",
        "",
        "mesolith.report.figure_tracking:draw",
    ),
    Figure(
        "truth",
        "Recovered against true",
        "virtual cells only",
        "mesolith.report.figure_truth:draw",
    ),
)
