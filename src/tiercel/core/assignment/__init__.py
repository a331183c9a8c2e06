"""Many agents x many models: who is given which.

strategies.py   scores and capacities -> the model of each agent
assigners.py    agents and models -> scores -> decisions
"""

from tiercel.core.assignment.assigners import AdaptiveAutoAssigner, AutoAssigner
from tiercel.core.assignment.strategies import Capacity

__all__ = ["AdaptiveAutoAssigner", "AutoAssigner", "Capacity"]
