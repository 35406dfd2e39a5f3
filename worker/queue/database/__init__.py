"""How the queue's tables are reached: connections, dialects, migrations, columns filled later."""
