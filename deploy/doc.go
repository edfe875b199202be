// Package deploy holds what Tutti is put to work with: files for Compose,
// Kubernetes, systemd, nginx and Caddy. Its tests run the server as these files
// say. Those that need the parsers of Docker and Kubernetes are in check, a module
// of its own.
package deploy
