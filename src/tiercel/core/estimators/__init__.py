"""Off-policy evaluation: what another policy would have achieved, from decisions that were logged and rated. Pure.

    rows          a rated decision; the weights that turn one policy's log into another's
    overlap       whether the log can answer at all, and how much more of it would
    weighting     IPS and SNIPS: rewards weighted
    reward_model  mean rewards, cross-fitted
    robust        DR, and SWITCH-DR as a line of sensitivity
    intervals     how far off an estimate may be
    valuation     all of it for one target policy
    coverage      how often the intervals hold, where the truth is known

There is no estimate from the reward model alone: on the tables of this project its intervals held the truth in 0 to 25
of 100 cases.
"""
