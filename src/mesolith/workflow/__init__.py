"""The workflow: which steps a cell needs, how they are run, and where the result goes.

experiment = load_experiment("cell.toml", all_techniques())
finished = run_cell(experiment, workers=2)
finished.result          # folder with report.html, cell.nxs, tables/
cell = open("result")    # the same cell, from cell.nxs
"""

from mesolith.workflow.plan import Plan, make_plan
from mesolith.workflow.running import Finished, open_cell, run, run_cell
from mesolith.workflow.running import open_cell as open

__all__ = ["Finished", "Plan", "make_plan", "open", "open_cell", "run", "run_cell"]
