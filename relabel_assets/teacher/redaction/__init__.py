"""What is replaced in documents and queries before they are sent to a teacher."""
