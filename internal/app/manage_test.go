package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// TestAnOperatorThrowsPeopleOut lets clients join and then sends some of them
// away over the tenants API: a user, a topic, everybody.
func TestAnOperatorThrowsPeopleOut(t *testing.T) {
	m := tcp(t)
	s := &script{t: t, medium: m, clients: map[string]*speaker{}, file: t.TempDir() + "/tenants.yaml"}
	defer s.end()
	s.flags = append(s.flags, "--dev-secret="+testSecret)
	ok := `{"status":"ok","response":{"postgres_changes":[]}}`
	for i, name := range []string{"ann", "bob", "cid"} {
		s.speak(name + " connect")
		s.speak(fmt.Sprintf(`%s> ["1","1","realtime:a","phx_join",{"config":{},"access_token":"$token(sub=%s)"}]`, name, name))
		s.speak(name + `< ["1","1","realtime:a","phx_reply",` + ok + `]`)
		if i == 1 {
			s.speak(`bob> ["2","2","realtime:b","phx_join",{"config":{}}]`)
			s.speak(`bob< ["2","2","realtime:b","phx_reply",` + ok + `]`)
		}
	}
	disconnect := func(body string, want string) {
		t.Helper()
		token, err := auth.Mint(testSecret, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
			"http://"+m.listener.Addr().String()+"/api/tenants/acme/disconnect", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		var v, w any
		if json.Unmarshal(got, &v) != nil || json.Unmarshal([]byte(want), &w) != nil || !matches(w, v) {
			t.Fatalf("disconnect %s answers %d %s, want %s", body, answer.StatusCode, got, want)
		}
	}
	system := `{"channel":"a","extension":"system","message":"Server requested disconnect","status":"ok"}`

	disconnect(`{"sub":"ann"}`, `{"data":{"disconnected":1}}`)
	s.speak(`ann< [null,null,"realtime:a","system",{"extension":"system","message":"Server requested disconnect","status":"ok"}]`)
	s.speak("ann closed 1012")

	disconnect(`{"topic":"a","sub":"bob"}`, `{"data":{"disconnected":1}}`)
	s.speak(`bob< ["1",null,"realtime:a","system",` + system + `]`)
	s.speak(`bob< ["1","1","realtime:a","phx_close",{}]`)
	s.speak("cid silent")

	disconnect(`{"topic":"a","private":true}`, `{"data":{"disconnected":0}}`)
	disconnect(`{}`, `{"data":{"disconnected":2}}`)
	s.speak(`bob< [null,null,"realtime:b","system",{"extension":"system","message":"Server requested disconnect","status":"ok"}]`)
	s.speak("bob closed 1012")
	s.speak(`cid< [null,null,"realtime:a","system",{"extension":"system","message":"Server requested disconnect","status":"ok"}]`)
	s.speak("cid closed 1012")
}
