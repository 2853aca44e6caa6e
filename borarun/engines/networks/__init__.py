"""What the engines of pretrained networks share: which there are, and how they are loaded."""
