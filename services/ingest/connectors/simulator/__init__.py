"""The simulated floor: a connector without a switch. Everything it says is made up, and says so.

floor.py         what happened until now: pure and seeded
orders.py        what a supervisor makes agents do
kernel.py        discrete events
people.py        who works there
day.py           how the day goes, every chance
world.py         who is free, who waits
switchboard.py   queueing, ringing, ending
calls.py         customers
transfers.py     handing over
obeying.py       what commands do on the floor
sound/           what calls sound like, and who gets a copy of it
connector.py     paces the floor by the wall clock and publishes
"""
