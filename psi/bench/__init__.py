"""Judge laws beside the schedules that people use."""
