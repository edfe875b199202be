package api

import "net/http"

// live says that the process answers, as healthcheck does. What is not live is
// started anew, which would not help a node whose database is down.
func live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, map[string]bool{"live": true})
}

// A preparedness is the answer of ready.
type preparedness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// ready says whether new clients should come to this node. Load balancers ask.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	status := http.StatusOK
	yes, reason := a.readiness()
	if !yes {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, preparedness{yes, reason})
}

// readiness asks Ready.
func (a *API) readiness() (yes bool, reason string) {
	if a.Ready == nil {
		return true, ""
	}
	if err := a.Ready(); err != nil {
		return false, err.Error()
	}
	return true, ""
}
