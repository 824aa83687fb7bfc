"""Make the data: tasks → policies → engine → records."""
