"""What must hold under faults, as figures: the rows, what tests reported of them, and the page that shows both."""
