package counter

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/tuttitest"
)

func count(value string) []tuttitest.Message {
	return []tuttitest.Message{{Event: "count", Payload: `{"value":` + value + `}`}}
}

func TestAllSeeTheSameNumber(t *testing.T) {
	room := tuttitest.New(t, Extension(), nil).Room("counter:steps")
	ann := room.MustJoin(tutti.Member{})
	ann.Send("add", map[string]int{"by": 2})
	bob := room.MustJoin(tutti.Member{})
	if got := bob.Heard(); !reflect.DeepEqual(got, count("2")) {
		t.Errorf("who comes later hears %v", got)
	}
	bob.Send("add", map[string]int{"by": -5})
	if got := ann.Heard(); !reflect.DeepEqual(got, append(append(count("0"), count("2")...), count("-3")...)) {
		t.Errorf("ann heard %v", got)
	}
}

func TestTheNumberOutlivesItsNode(t *testing.T) {
	room := tuttitest.New(t, Extension(), nil).Room("counter:steps")
	ann := room.MustJoin(tutti.Member{})
	ann.Send("add", map[string]int{"by": 7})
	ann.Heard()
	room.Crash()
	if got := ann.Heard(); !reflect.DeepEqual(got, count("7")) {
		t.Errorf("after the loss ann hears %v", got)
	}
}

func TestWhatIsTooMuchIsRefused(t *testing.T) {
	room := tuttitest.New(t, Extension(), map[string]any{"most": 3.0}).Room("counter:steps")
	ann := room.MustJoin(tutti.Member{})
	ann.Heard()
	for _, payload := range []any{map[string]int{"by": 4}, map[string]string{"by": "two"}} {
		ann.Send("add", payload)
		if got := ann.Heard(); len(got) != 1 || got[0].Event != "refused" {
			t.Errorf("%v: ann heard %v", payload, got)
		}
	}
	if _, err := readSettings(map[string]any{"most": "all"}); err == nil || !strings.Contains(err.Error(), "most") {
		t.Errorf("wrong settings: %v", err)
	}
}

func TestHistoryIsWrittenAndRead(t *testing.T) {
	server := tuttitest.New(t, Extension(), nil)
	db := &tuttitest.Database{}
	server.Database = db
	ann := server.Room("counter:steps").MustJoin(tutti.Member{Claims: tutti.Claims{Role: "authenticated"}})
	ann.Send("add", map[string]int{"by": 2})
	want := []tuttitest.Statement{{Role: "authenticated", SQL: insertHistory, Args: []any{"counter:steps", int64(2)}}}
	if !reflect.DeepEqual(db.Did, want) {
		t.Errorf("the database was told %v", db.Did)
	}
	db.Answer(selectHistory, []any{2}, []any{5})
	answer := httptest.NewRecorder()
	serveHistory(answer, httptest.NewRequest(http.MethodGet, "/?topic=counter:steps", nil), &tutti.ExtensionRequest{Database: db})
	if got := strings.TrimSpace(answer.Body.String()); got != "[2,5]" {
		t.Errorf("the history is %s", got)
	}
}
