"""The composition root: how Samkat is started (command line, local server, watcher, deployments)."""
