"""The same questions asked of AllenSDK's own class and of ours, on the same database."""
