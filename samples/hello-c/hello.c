/* A preview 1 command in C: says hello, with the name of its pod when it was given one. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const char *pod = getenv("POD_NAME");
    printf("Hello from C in %s\n", pod ? pod : "a pod without a name");
    return 0;
}
