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
        "hot_spots",
        "Hot and cold spots in each state",
        "after Dixit 2022, Figs. 3f and S10",
        "mesolith.report.figure_hot_spots:draw",
    ),
    Figure(
        "spot_changes_hydrostatic",
        "Change of hot and cold spots, hydrostatic stress",
        "after Dixit 2022, Figs. 5b-c and S11-S14",
        "mesolith.report.figure_spot_changes:draw_hydrostatic",
    ),
    Figure(
        "spot_changes_von_mises",
        "Change of hot and cold spots, von Mises stress",
        "after Dixit 2022, Figs. S15-S16",
        "mesolith.report.figure_spot_changes:draw_von_mises",
    ),
    Figure(
        "clusters",
        "Clusters of grains by place and stress",
        "after Dixit 2022, Figs. 5a and S9a",
        "mesolith.report.figure_clusters:draw",
    ),
    Figure(
        "space",
        "Has stress a direction in the pellet?",
        "tests what Dixit 2022 concludes from Fig. 5a",
        "mesolith.report.figure_space:draw",
    ),
    Figure(
        "transitions",
        "Stress before and after, by direction of the current",
        "after Dixit 2022, Fig. 7b-c",
        "mesolith.report.figure_transitions:draw",
    ),
    Figure(
        "pathways",
        "Pathways of stress",
        "after Dixit 2022, Fig. 7d-e",
        "mesolith.report.figure_pathways:draw",
    ),
    Figure(
        "findings",
        "All questions and their answers",
        "",
        "mesolith.report.figure_findings:draw",
    ),
    Figure(
        "truth",
        "Recovered against true",
        "virtual cells only",
        "mesolith.report.figure_truth:draw",
    ),
)
