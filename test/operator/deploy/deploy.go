// Package deploy holds what installs the DOUBLE of Strimzi's Cluster Operator inside a cluster, as a Deployment that
// looks like the real one's.
package deploy

import _ "embed" // the manifests

// Image is the name the manifests give the double's image.
const Image = "sandbox.test/operator-double:1.2.0"

// Manifests install the double. Like Strimzi's own they say "myproject" for the namespace.
//
//go:embed install.yaml
var Manifests []byte
