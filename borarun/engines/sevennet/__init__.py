"""SevenNet-0 as reference."""
