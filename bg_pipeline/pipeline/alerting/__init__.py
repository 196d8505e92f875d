"""Alert a person: find problems, plan and store notifications, deliver them in a separate call."""
