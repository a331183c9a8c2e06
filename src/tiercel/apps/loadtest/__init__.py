"""`tiercel loadtest`: traffic on a real gateway, and what became of it.

scenarios.py  what the traffic does and what the models do meanwhile
settings.py   the options, and the configuration of the gateway that is started for the test
upstream.py   another process: models that answer as the scenario says
gateway.py    calling a gateway, and what it takes of the machine
traffic.py    requests at their times, ratings of their answers
result.py     the figures, in windows of time and in all, as one record and as JSON
picture.py    the same over time, drawn
summary.py    the same on a terminal
run.py        all of it in order
"""
