"""What a page is made of, whatever it is about: tables, figures, style, numbers in words."""
