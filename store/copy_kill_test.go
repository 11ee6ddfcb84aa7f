package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// killedCopy says from where to where this binary is to copy until it is killed.
const killedCopy = "COUNTERSIGN_TEST_KILLED_COPY"

// copyUntilKilled copies slowly, and prints a line for each step.
func copyUntilKilled(where string) error {
	ctx := context.Background()
	from, to, ring, err := openMove(ctx, where)
	if err != nil {
		return err
	}
	c := Copy{From: from, To: to, FromPlace: "here", ToPlace: "there", Ring: ring, Now: time.Now, life: 6 * time.Second}
	c.Progress = func(p Progress) {
		fmt.Println(p.Checking, p.Values, p.Counters)
		time.Sleep(time.Millisecond)
	}
	_, err = c.Run(ctx)
	return err
}

// openMove opens a file, a Redis and a key ring: "DIRECTION FILE ADDRESS RING".
func openMove(ctx context.Context, where string) (from, to Movable, ring *Ring, err error) {
	words := strings.Fields(where)
	file, err := OpenSQLite(ctx, words[1], Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	shared, err := OpenRedis(ctx, RedisOptions{Addresses: words[2:3]})
	if err != nil {
		return nil, nil, nil, errors.Join(err, file.Close())
	}
	ring, err = LoadRing(words[3])
	if words[0] == "back" {
		return shared, file, ring, err
	}
	return file, shared, ring, err
}

// TestACopyThatIsKilledIsRunAgain kills a process that moves a store, in whatever it is at, until one gets
// through: to Redis, and back to a new file. At no time may both stores be claimed, and in the end everything is there.
func TestACopyThatIsKilledIsRunAgain(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	ring := newRing(t)
	ringFile := filepath.Join(dir, "keys")
	wantNil(t, ring.Create(ringFile))
	file := openTest(t, filepath.Join(dir, "from.db"), Options{})
	wantNil(t, Claim(ctx, file, ring))
	fillAtRandom(t, file, rand.New(rand.NewPCG(9, 10)), 2500)
	want := content(t, file)
	wantNil(t, file.Close())
	server := redistest.Start(t, redistest.Durable()...)
	killed := 0
	for _, where := range []string{
		strings.Join([]string{"there", filepath.Join(dir, "from.db"), server.Addr, ringFile}, " "),
		strings.Join([]string{"back", filepath.Join(dir, "to.db"), server.Addr, ringFile}, " "),
	} {
		for done := false; !done; {
			done = copyAndKill(t, where, killed < 10)
			if !done {
				killed++
			}
			from, to, _, err := openMove(ctx, where)
			wantNil(t, err)
			// Another ring could claim what nobody has begun; ours would then be refused. So only ask.
			first, second := InPlace(ctx, from), InPlace(ctx, to)
			empty := len(content(t, to)) == 0
			if first == nil && second == nil && !empty {
				t.Errorf("after %d kills both can be claimed", killed)
			}
			if done {
				same(t, strings.Fields(where)[0], content(t, to), want)
				wantNil(t, Claim(ctx, to, ring))
				if err := Claim(ctx, from, ring); !errors.Is(err, ErrMoved) {
					t.Errorf("the source: %v", err)
				}
			}
			wantNil(t, errors.Join(from.Close(), to.Close()))
		}
	}
	if killed < 6 {
		t.Errorf("killed %d times: too few to have looked", killed)
	}
}

// copyAndKill runs a copy in a process of its own and kills it at some step; it says whether the
// copy came to its end before.
func copyAndKill(t *testing.T, where string, kill bool) (done bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), killedCopy+"="+where)
	var said strings.Builder
	child.Stderr = &said
	out, err := child.StdoutPipe()
	wantNil(t, err)
	wantNil(t, child.Start())
	steps := 1 + rand.IntN(140)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if steps--; steps == 0 && kill {
			_ = child.Process.Kill()
		}
	}
	err = child.Wait()
	if err != nil && child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the copy: %v: %s", err, said.String())
	}
	return err == nil
}
