"""The Asterisk connector: carries what a switch's manager interface (AMI) says to `switch.raw`, and commands to the switch."""
