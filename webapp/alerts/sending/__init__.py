"""What is told is on its way: outbox, the process that sends, channels, Alertmanagers."""
