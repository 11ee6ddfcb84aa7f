package store

// What the tests of the back ends, which stand outside the package, share with those inside.
var (
	Content      = content
	FillAtRandom = fillAtRandom
	NewTestRing  = newRing
	NewTestCopy  = newCopy
	NewTestFile  = newFile
	Same         = same
)
