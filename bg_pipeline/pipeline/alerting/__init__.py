"""Alert a person: find what is wrong, plan notifications and keep them, deliver them in a call of their own."""
