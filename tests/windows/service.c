/* A service for tests: NAME FILE [MODE]. It writes into the file what happens to it, with the time in milliseconds.

   deaf: does not read its configuration anew. slow: takes 3 s to start. fails: ends with an error of its own. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

static SERVICE_STATUS_HANDLE handle;
static HANDLE done;
static wchar_t *name, *file, *mode;

static void note(const char *what) {
    FILETIME now;
    char line[64];
    DWORD written;
    GetSystemTimeAsFileTime(&now);
    ULONGLONG units = ((ULONGLONG)now.dwHighDateTime << 32) + now.dwLowDateTime;
    int size = snprintf(line, sizeof line, "%s %llu\n", what, units / 10000);
    HANDLE out = CreateFileW(file, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, 0, OPEN_ALWAYS, 0, 0);
    WriteFile(out, line, size, &written, 0);
    CloseHandle(out);
}

static void tell(DWORD state, DWORD code, DWORD own_code) {
    SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, state, 0, code, own_code, 0, 5000};
    if (state == SERVICE_RUNNING)
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP | (wcscmp(mode, L"deaf") ? SERVICE_ACCEPT_PARAMCHANGE : 0);
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI control(DWORD what, DWORD type, void *data, void *context) {
    switch (what) {
    case SERVICE_CONTROL_STOP:
        tell(SERVICE_STOP_PENDING, 0, 0);
        note("stop");
        SetEvent(done);
        return NO_ERROR;
    case SERVICE_CONTROL_PARAMCHANGE:
        note("reload");
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    }
    return ERROR_CALL_NOT_IMPLEMENTED;
}

static void WINAPI run(DWORD count, wchar_t **arguments) {
    handle = RegisterServiceCtrlHandlerExW(name, control, 0);
    done = CreateEventW(0, TRUE, FALSE, 0);
    tell(SERVICE_START_PENDING, 0, 0);
    note("start");
    if (!wcscmp(mode, L"fails")) {
        tell(SERVICE_STOPPED, ERROR_SERVICE_SPECIFIC_ERROR, 42);
        return;
    }
    if (!wcscmp(mode, L"slow"))
        Sleep(3000);
    tell(SERVICE_RUNNING, 0, 0);
    WaitForSingleObject(done, INFINITE);
    tell(SERVICE_STOPPED, 0, 0);
}

int wmain(int count, wchar_t **arguments) {
    name = arguments[1];
    file = arguments[2];
    mode = count > 3 ? arguments[3] : L"";
    SERVICE_TABLE_ENTRYW table[] = {{name, run}, {0, 0}};
    return !StartServiceCtrlDispatcherW(table);
}
