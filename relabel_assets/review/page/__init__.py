"""The page where people grade: its rules, its server, and its files in files/."""
