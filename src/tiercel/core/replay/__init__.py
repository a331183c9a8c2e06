"""Replaying policies over a full-information outcome table, and what their choices are held against. Pure.

A table has, for every query, what each of the models would have done. The policy decides, sees its own choice's outcome
and some of the ratings, and learns; what the other models would have done only serves to judge it afterwards.

    table      rows -> queries with every model's outcome
    catalogue  the table's models as a catalogue
    world      scenarios: what changes while requests come
    books      what is done with one request
    driver     the replay: a trace of every request
    baselines  the choices without learning
    figures    a trace -> figures; several -> means with intervals
    reactions  a trace -> how soon the policy acted on a change
    imagined   a catalogue nobody measured -> a table drawn from assumptions
    settling   a trace -> how soon the policy did what it still does at the end
    frontier   several budgets -> one curve
"""
