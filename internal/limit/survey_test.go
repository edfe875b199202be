package limit

import "testing"

func TestLoadsAreThoseOfAllNodes(t *testing.T) {
	t.Parallel()
	var here, there Meters
	here.Tell = func(string, []byte) error { return nil }
	there.Tell = func(_ string, message []byte) error { return here.Receive("there", message) }
	here.Joined("there")
	there.Joined("here")
	both, far := there.Of("both"), there.Of("far")
	both.EnterUser(10)
	far.EnterUser(10)
	far.EnterUser(10)
	here.Of("both").EnterUser(10)
	here.Of("idle")
	there.connected().tellUsers()

	all := here.Loads()
	if len(all) != 2 || all["both"].Users != 2 || all["far"].Users != 2 {
		t.Errorf("loads are %+v", all)
	}
	for id, want := range map[string]int{"both": 2, "far": 2, "idle": 0, "nobody": 0} {
		if got := here.Load(id).Users; got != want {
			t.Errorf("%s has %d users, want %d", id, got, want)
		}
	}
	if here.Known("far") != nil || here.Known("nobody") != nil || here.Known("both") == nil {
		t.Error("looking at a tenant makes it known, or hides it")
	}
}
