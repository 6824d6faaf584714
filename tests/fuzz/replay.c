/* Runs a fuzz target over the files of the directories that are named, each also cut short. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define CUTS 16 /* lengths that each file is tried in, besides its own */

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long len;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0) {
        if (file != NULL)
            fclose(file);
        return 1;
    }
    data = malloc((size_t)len + 1);
    PROMISE(data != NULL && fread(data, 1, (size_t)len, file) == (size_t)len);
    fclose(file);
    for (size_t cut = 0; cut <= CUTS; cut++) {
        size_t part = (size_t)len * cut / CUTS;
        uint8_t *exact = malloc(part > 0 ? part : 1); /* so that a read outside is seen */

        PROMISE(exact != NULL);
        memcpy(exact, data, part);
        (void)LLVMFuzzerTestOneInput(exact, part);
        free(exact);
    }
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    size_t files = 0;

    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        const struct dirent *entry;
        char path[4096];

        if (directory == NULL) {
            perror(argv[i]);
            return 1;
        }
        while ((entry = readdir(directory)) != NULL) {
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.' && replay_file(path) == 0)
                files++;
        }
        closedir(directory);
    }
    printf("%zu files\n", files);
    return files > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
