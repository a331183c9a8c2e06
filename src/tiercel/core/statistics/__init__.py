"""Additive statistics: all that is kept is a commutative monoid, so the order of events and who saw them do not matter.

Sums            counts, sums and a latency sketch of one time bucket; exact integer addition
RecentOutcomes  the newest outcomes of one key; merging is union, then the newest
RecentRatings   the newest ratings of one key, per source; merging is union, then the newest
Moments         what is learned of ratings with features; a clock of ratings (label_clock.py) lets them fade
Usage           what calls take, by shape of request
voices          how much each source of ratings counts
Deltas          what a batch of events adds to all of them (fold.py)
forget          taking ratings back out
Knowledge       the learned state in memory (knowledge.py)
intervals       how far off a rate or a mean of a few figures may be
"""
