"""What the reference engines share."""
