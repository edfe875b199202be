package extend

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

func TestARoomIsOpenedHeardAndClosed(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann, bob := s.enter("ann"), s.enter("bob")
		ann.say("echo")
		s.expect("open  false", "join ann", "join bob", "hear ann echo")
		if !slices.Equal(ann.heard, []string{`echo {"n":1}`}) || bob.heard != nil {
			t.Errorf("ann heard %q, bob %q", ann.heard, bob.heard)
		}
		bob.say("all")
		s.expect("hear bob all")
		if !slices.Equal(s.sent, []string{"all"}) {
			t.Errorf("sent to all: %q", s.sent)
		}
		ann.Leave()
		ann.Leave()
		ann.say("echo")
		s.expect("leave ann")
		bob.Leave()
		s.expect("close")
	})
}

func TestWhatIsKeptIsThereForThoseWhoComeBack(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann := s.enter("ann")
		ann.say("keep")
		s.expect("open  false", "join ann", "hear ann keep")
		ann.Leave()
		time.Sleep(59 * time.Second)
		s.expect("close")
		ann = s.enter("ann")
		s.expect(`open {"n":1} false`, "join ann")
		ann.Leave()
		time.Sleep(62 * time.Second)
		s.expect("close")
		if s.host.find(place{"band", tutti.Topic{Tenant: "acme", Name: "band"}}) != nil {
			t.Error("a room is remembered that nobody can come back to")
		}
		s.enter("ann")
		s.expect("open  false", "join ann")
	})
}

func TestAPanicIsOneOfTheRoomAlone(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann, other := s.enter("ann"), s.enterRoom("zoe", "band2")
		ann.say("keep")
		synctest.Wait()
		s.journal.take()
		ann.say("panic")
		ann.say("echo")
		s.expect()
		other.say("echo")
		s.expect("hear zoe echo")
		time.Sleep(101 * time.Millisecond)
		s.expect(`open {"n":1} false`, "join ann", "hear ann echo")
		if s.host.Stats().Panics != 1 {
			t.Errorf("panics: %d", s.host.Stats().Panics)
		}
		ann.say("break")
		time.Sleep(201 * time.Millisecond)
		s.expect("hear ann break", `open {"n":1} false`, "join ann")
	})
}

func TestAStormOfPanicsClosesTheRoom(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann := s.enter("ann")
		ann.say("keep")
		for range 8 {
			ann.say("panic")
			time.Sleep(11 * time.Second)
		}
		synctest.Wait()
		if !strings.HasPrefix(ann.refused, "ExtensionPanicked: ") {
			t.Errorf("ann was told %q", ann.refused)
		}
		s.journal.take()
		s.enter("bob")
		s.expect("open  false", "join bob")
	})
}

func TestACallThatHangsIsLeftBehind(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann, other := s.enter("ann"), s.enterRoom("zoe", "band2")
		synctest.Wait()
		s.journal.take()
		ann.say("keep")
		ann.say("hang")
		ann.say("echo")
		synctest.Wait()
		other.say("echo")
		time.Sleep(4 * time.Second)
		s.expect("hear ann keep", "hear zoe echo")
		time.Sleep(2 * time.Second)
		s.expect(`open {"n":1} false`, "join ann", "hear ann echo")
		if st := s.host.Stats(); st.Abandoned != 1 || st.Stalls != 1 {
			t.Errorf("%+v", st)
		}
		close(s.stuck)
		s.expect("hear ann hang") // which has no effect any more
		if st := s.host.Stats(); st.Abandoned != 0 {
			t.Errorf("%+v", st)
		}
		ann.Leave()
		s.expect("close")
	})
}

func TestWorkThatDoesNotEndIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "one", cluster.On(&cluster.Local{}, "extend"))
		s.run()
		ann := s.enter("ann")
		ann.say("work")
		ann.say("linger")
		s.expect("open  false", "join ann", "hear ann work", "hear ann linger", "worked")
		began := time.Now()
		s.end()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the end took %v", took)
		}
		close(s.stuck)
		synctest.Wait()
	})
}

func TestEventsBeyondTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann := s.enter("ann")
		ann.say("hang")
		synctest.Wait()
		for range maxEvents + 3 {
			ann.say("count")
		}
		bob := s.enter("bob")
		bob.Leave()
		synctest.Wait()
		if len(ann.heard) != 3 || !strings.HasPrefix(ann.heard[0], `extension_error {"code":"ExtensionOverloaded",`) {
			t.Errorf("ann heard %q", ann.heard)
		}
		close(s.stuck)
		synctest.Wait()
		heard := s.journal.take()
		if n := len(heard); n != 5+maxEvents {
			t.Errorf("%d lines, the last %q", n, heard[n-1])
		}
	})
}

func TestAMemberIsRefused(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann, eve := s.enter("ann"), s.enter("unwanted")
		eve.say("echo")
		s.expect("open  false", "join ann")
		if eve.refused != "you are not wanted here" || ann.refused != "" {
			t.Errorf("eve was told %q, ann %q", eve.refused, ann.refused)
		}
	})
}

func TestARoomWakes(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann := s.enter("ann")
		ann.say("wake")
		time.Sleep(999 * time.Millisecond)
		s.expect("open  false", "join ann", "hear ann wake")
		ann.say("wake") // which takes the place of the first
		time.Sleep(999 * time.Millisecond)
		s.expect("hear ann wake")
		time.Sleep(time.Millisecond)
		s.expect("wake")
		time.Sleep(time.Hour)
		s.expect()
	})
}

func TestWrongSettingsTurnTheExtensionOff(t *testing.T) {
	t.Parallel()
	alone(t, func(s *stage) {
		ann := s.enter("ann")
		s.expect("open  false", "join ann")
		wrong := *s.tenant
		wrong.Extensions = []tutti.TenantExtension{{Type: "band", Settings: map[string]any{"size": "wrong"}}}
		topic := tutti.Topic{Tenant: "acme", Name: "band"}
		if s.host.Enter(&wrong, nil, topic, Guest{}) != nil || s.host.Bare(&wrong, "band") {
			t.Error("there is a room in spite of wrong settings")
		}
		s.host.TenantChanged("acme", &wrong)
		s.expect("close")
		if ann.refused == "" {
			t.Error("ann does not know that the room is no more")
		}
		other := tutti.Tenant{ExternalID: "other"}
		if s.host.Enter(&other, nil, topic, Guest{}) != nil {
			t.Error("a tenant has an extension that it did not ask for")
		}
	})
}

func TestMembersWhoCameBeforeRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "one", cluster.On(&cluster.Local{}, "extend"))
		s.enter("ann").say("echo")
		synctest.Wait()
		s.run()
		defer s.end()
		s.expect("open  false", "join ann", "hear ann echo")
	})
}
