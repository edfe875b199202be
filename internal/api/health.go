package api

import (
	"context"
	"net/http"
	"time"
)

// liveness is how long a process may take to show that it lives. A loop under
// load takes a turn in some milliseconds.
const liveness = 8 * time.Second

// live says whether the process does its work. What is not live is started anew,
// which would not help a node whose database is down.
func (a *API) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if a.Alive != nil {
		ctx, cancel := context.WithTimeout(r.Context(), liveness)
		defer cancel()
		if err := a.Alive(ctx); err != nil {
			a.Log.Error("the process does not do its work", "err", err)
			answer(w, http.StatusServiceUnavailable, map[string]bool{"live": false})
			return
		}
	}
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
