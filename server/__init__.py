"""What people run: configuration, the HTTP application, the command line, the dev server."""
