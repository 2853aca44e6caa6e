"""What leaves a site for other groups and repositories, and what comes from them."""
