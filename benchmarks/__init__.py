"""What is measured: downloads beside curl, and tables beside AllenSDK and others."""
