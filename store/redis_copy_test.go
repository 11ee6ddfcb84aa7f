package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// thereAndBack moves random stores from a file to Redis and back, and wants all of them: values, counters,
// and when each expires. A failure names its seed, which alone decides what is in the store.
func thereAndBack(t *testing.T, o store.RedisOptions, seeds ...uint64) {
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			ctx, ring := t.Context(), store.NewTestRing(t)
			file, back, o := store.NewTestFile(t), store.NewTestFile(t), o
			if err := store.Claim(ctx, file, ring); err != nil {
				t.Fatal(err)
			}
			store.FillAtRandom(t, file, rand.New(rand.NewPCG(seed, 0)), 700)
			want := store.Content(t, file)
			soon := time.Now().Add(20 * time.Second).Truncate(time.Millisecond)
			if err := errors.Join(file.Apply(ctx, "07", []store.Op{{Name: "soon", If: store.Any, Expires: soon}}),
				file.SetCounters(ctx, "07", []store.Counter{{Name: "soon", Total: 3, Expires: soon}})); err != nil {
				t.Fatal(err)
			}
			o.Prefix = fmt.Sprint("t", prefixes.Add(1))
			shared := openRedis(t, o)
			if total, err := store.NewTestCopy(t, ring, file, shared).Run(ctx); err != nil || total.Values < 100 || total.Counters < 50 {
				t.Fatalf("there: %+v, %v", total, err)
			}
			if item, err := shared.Get(ctx, "07", "soon", 0); err != nil || !item.Expires.Equal(soon) {
				t.Errorf("a value that expires soon: %v, %v", item, err)
			}
			if some, err := shared.Counters(ctx, "07", []string{"soon"}); err != nil || len(some) != 1 || some[0].Total != 3 || !some[0].Expires.Equal(soon) {
				t.Errorf("a counter that expires soon: %v, %v", some, err)
			}
			if err := errors.Join(shared.Apply(ctx, "07", []store.Op{{Name: "soon", If: store.Any, Delete: true}}),
				shared.SetCounters(ctx, "07", []store.Counter{{Name: "soon", Expires: time.UnixMilli(1)}})); err != nil {
				t.Fatal(err)
			}
			store.Same(t, "there", store.Content(t, shared), want)
			if _, err := store.NewTestCopy(t, ring, shared, back).Run(ctx); err != nil {
				t.Fatal("back:", err)
			}
			store.Same(t, "back", store.Content(t, back), want)
			if err := store.Claim(ctx, shared, ring); !errors.Is(err, store.ErrMoved) {
				t.Errorf("the store on Redis: %v", err)
			}
			if _, err := store.Erase(ctx, shared, "there"); err != nil {
				t.Error(err)
			}
			if empty, err := shared.Empty(ctx); err != nil || !empty {
				t.Errorf("erased: %v, %v", empty, err)
			}
			if err := store.Claim(ctx, back, ring); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAStoreMovedToRedisAndBackIsTheSame(t *testing.T) {
	t.Parallel()
	thereAndBack(t, startRedis(t, durableArgs...).options(), 1, 2, 3, rand.Uint64())
}

func TestAStoreMovedBehindSentinelsAndBackIsTheSame(t *testing.T) {
	t.Parallel()
	w := redistest.StartWatched(t, 1)
	o := store.RedisOptions{Master: w.Name, Replicas: 1}
	for _, s := range w.Sentinels {
		o.Addresses = append(o.Addresses, s.Addr)
	}
	thereAndBack(t, o, 21)
}
