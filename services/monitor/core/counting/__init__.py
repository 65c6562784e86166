"""What is counted: queues, agents and the site, by minute, interval and day."""
