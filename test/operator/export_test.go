package operator

// Names for the tests outside the package.
var (
	AssignIDs    = assignIDs
	ParseIDRange = parseIDRange
	SameStatus   = sameStatus
	// KeepImmutable asks a claim for what it has, where it cannot be changed.
	KeepImmutable = keepImmutable
)

// IDWish is what a pool brings to the assignment.
type IDWish = idWish

// Wish makes one.
func Wish(pool string, replicas int, current []int, next, remove string) IDWish {
	return IDWish{pool: pool, replicas: replicas, current: current, next: next, remov: remove}
}

// Desired are the IDs of an assignment, Added those that were in no status.
func (a assignment) Desired() []int { return a.desired }

// Added are the IDs that were in no status.
func (a assignment) Added() []int { return a.added }

// MetadataLogDir is where a pool with the storage keeps a node's metadata log.
func MetadataLogDir(spec map[string]any, id int) string {
	return readStorage(spec).metadataVolume().logDir(id)
}

// StorageJSON is the annotation of a pod set.
func StorageJSON(spec map[string]any) string { return readStorage(spec).json() }

// Format is what a simulated node does with a log directory.
var Format = formatDir
