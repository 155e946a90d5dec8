// A preview 1 command in Go: says hello, with the name of its pod when it was given one.
package main

import (
	"fmt"
	"os"
)

func main() {
	pod := os.Getenv("POD_NAME")
	if pod == "" {
		pod = "a pod without a name"
	}
	fmt.Printf("Hello from Go in %s\n", pod)
}
