"""A number to drag or to type; what is typed is handed on as it is, for the server to judge."""
