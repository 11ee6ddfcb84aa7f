package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// Tiles are those of C2SP tlog-tiles: 256 hashes wide, so that a level of tiles is eight levels of the tree.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// Tile is a part of the tree: the hashes of its lowest level, side by side. A full one never changes, and one that is not only grows.
type Tile struct {
	Level  int    `json:"level"`
	Number int64  `json:"number"`
	Hashes []byte `json:"hashes"` // 32 bytes each
}

// Indexes implements proofing.Record: a tile is found by its place alone.
func (*Tile) Indexes() []proofing.Index { return nil }

// ExpiresAt implements proofing.Record.
func (*Tile) ExpiresAt() time.Time { return time.Time{} }

func (t *Tile) width() int { return len(t.Hashes) / tlog.HashSize }

func (t *Tree) tileID(level int, number int64) string {
	return proofing.FixedID(t.Hasher.Sum("log tile", strconv.Itoa(level), strconv.FormatInt(number, 10)))
}

// errDiffers: a tile says something else than the pages that it is made of.
var errDiffers = errors.New("differs from the pages of the log")

// grow stores a tile, unless what is there has more already.
func (t *Tree) grow(ctx context.Context, tile *Tile) error {
	id := t.tileID(tile.Level, tile.Number)
	err := t.Tiles.Create(ctx, id, tile)
	if errors.Is(err, proofing.ErrExists) {
		_, err = t.Tiles.Update(ctx, id, func(have *Tile) error {
			n := min(len(have.Hashes), len(tile.Hashes))
			if have.Level != tile.Level || have.Number != tile.Number || !bytes.Equal(have.Hashes[:n], tile.Hashes[:n]) {
				return errDiffers
			}
			if n < len(tile.Hashes) {
				have.Hashes = tile.Hashes
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("store tile %d of level %d: %w", tile.Number, tile.Level, err)
	}
	return nil
}

// hashes reads hashes of the tree from its tiles. What is in fresh is not in the store yet.
type hashes struct {
	ctx   context.Context
	read  func(ctx context.Context, level int, number int64) (*Tile, error)
	known map[[2]int64]*Tile
}

func (t *Tree) hashes(ctx context.Context) *hashes {
	return &hashes{ctx, func(ctx context.Context, level int, number int64) (*Tile, error) {
		return t.Tiles.Get(ctx, t.tileID(level, number))
	}, map[[2]int64]*Tile{}}
}

// ReadHashes implements tlog.HashReader.
func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, x := range indexes {
		at := tlog.TileForIndex(tileHeight, x)
		tile, err := h.tile(at.L, at.N)
		if err != nil {
			return nil, err
		}
		at.W = min(tile.width(), tileWidth)
		hash, err := tlog.HashFromTile(at, tile.Hashes, x)
		if err != nil {
			return nil, fmt.Errorf("tile %d of level %d: %w", at.N, at.L, err)
		}
		found = append(found, hash)
	}
	return found, nil
}

func (h *hashes) tile(level int, number int64) (*Tile, error) {
	key := [2]int64{int64(level), number}
	if tile := h.known[key]; tile != nil {
		return tile, nil
	}
	tile, err := h.read(h.ctx, level, number)
	if err != nil {
		return nil, fmt.Errorf("tile %d of level %d: %w", number, level, err)
	}
	h.known[key] = tile
	return tile, nil
}

// edge is the right edge of a tree: of each level of tiles the one that is not full.
type edge struct {
	size  int64
	tiles []*Tile // by level
	// full are those that have become so since.
	full []*Tile
}

// edgeOf is the edge of the tree of that size. What tiles have beyond it is not looked at: somebody who stopped in the middle left it there.
func edgeOf(h *hashes, size int64) (*edge, error) {
	e := &edge{size: size}
	for level, n := 0, size; n > 0; level, n = level+1, n>>tileHeight {
		part := &Tile{Level: level, Number: n >> tileHeight}
		if w := int(n % tileWidth); w > 0 {
			tile, err := h.tile(level, part.Number)
			if err != nil {
				return nil, err
			}
			if tile.width() < w {
				return nil, fmt.Errorf("tile %d of level %d has %d hashes of %d", part.Number, level, tile.width(), w)
			}
			part.Hashes = bytes.Clone(tile.Hashes[:w*tlog.HashSize])
		}
		e.tiles = append(e.tiles, part)
	}
	return e, nil
}

// add puts a leaf at the end.
func (e *edge) add(leaf tlog.Hash) {
	e.size++
	hash := leaf
	for level := 0; ; level++ {
		if level == len(e.tiles) {
			e.tiles = append(e.tiles, &Tile{Level: level})
		}
		tile := e.tiles[level]
		if tile.Hashes = append(tile.Hashes, hash[:]...); tile.width() < tileWidth {
			return
		}
		e.full = append(e.full, tile)
		e.tiles[level] = &Tile{Level: level, Number: tile.Number + 1}
		hash = subtree(tile.Hashes)
	}
}

// subtree is the hash over a power of two of hashes.
func subtree(data []byte) tlog.Hash {
	if len(data) == tlog.HashSize {
		return tlog.Hash(data)
	}
	half := len(data) / 2
	return tlog.NodeHash(subtree(data[:half]), subtree(data[half:]))
}

// changed are the tiles that are not as they were in the tree of that size, the lowest first.
func (e *edge) changed(since int64) (tiles []*Tile) {
	tiles = append(tiles, e.full...)
	for level, tile := range e.tiles {
		if tile.width() > 0 && e.size>>(tileHeight*level) != since>>(tileHeight*level) {
			tiles = append(tiles, tile)
		}
	}
	return tiles
}
