// Package check reads the files of deploy/ with the parsers of those who will run
// them: Docker's, Compose's, Kustomize's and Kubernetes' own. It is a module of its
// own, so that the server depends on none of these.
package check
