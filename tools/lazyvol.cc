#include "daemon/cli.h"

int main(int argc, char** argv) {
  using namespace lazyvol::daemon;
  return lazyvol_main(arguments_of(argc, argv), process_console());
}
