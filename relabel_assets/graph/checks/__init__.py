"""Asset checks: of stored rows, and of what student and labels are worth."""
