"""White-beam patterns with known truth: mirrored rays from sampled depths."""
