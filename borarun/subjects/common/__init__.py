"""What several subjects share: tasks, trajectories, results, curves."""
