"""What happened when: noted by the poll, by alerts, by machines and by people; shown on plots and pages."""
