/*
 * The interface hob.Supervisor: its Varlink description and the names of its methods and errors.
 * How a client uses it is said in the description itself (interface.c).
 */
#pragma once

#include <stddef.h>

#define WIRE_INTERFACE "hob.Supervisor"
#define WIRE_SERVICE_INTERFACE "org.varlink.service"

/* Methods. */
#define WIRE_RUN WIRE_INTERFACE ".Run"
#define WIRE_START WIRE_INTERFACE ".Start"
#define WIRE_STOP WIRE_INTERFACE ".Stop"
#define WIRE_RESTART WIRE_INTERFACE ".Restart"
#define WIRE_RELOAD WIRE_INTERFACE ".Reload"
#define WIRE_KILL WIRE_INTERFACE ".Kill"
#define WIRE_WAIT WIRE_INTERFACE ".Wait"
#define WIRE_FORGET WIRE_INTERFACE ".Forget"
#define WIRE_SHUTDOWN WIRE_INTERFACE ".Shutdown"
#define WIRE_GET_INSTANCE WIRE_INTERFACE ".GetInstance"
#define WIRE_GET_SERVICE WIRE_INTERFACE ".GetService"
#define WIRE_LIST WIRE_INTERFACE ".List"
#define WIRE_SHOW WIRE_INTERFACE ".Show"
#define WIRE_CAT WIRE_INTERFACE ".Cat"
#define WIRE_FLUSH WIRE_INTERFACE ".Flush"
#define WIRE_GET_INFO WIRE_SERVICE_INTERFACE ".GetInfo"
#define WIRE_GET_DESCRIPTION WIRE_SERVICE_INTERFACE ".GetInterfaceDescription"

/* Errors, with their parameters. */
#define WIRE_NO_SUCH_UNIT WIRE_INTERFACE ".NoSuchUnit"	  /* unit, text */
#define WIRE_INVALID_UNIT WIRE_INTERFACE ".InvalidUnit"	  /* text */
#define WIRE_NOT_PERMITTED WIRE_INTERFACE ".NotPermitted" /* text */
#define WIRE_SHUTTING_DOWN WIRE_INTERFACE ".ShuttingDown"
#define WIRE_FAILED WIRE_INTERFACE ".Failed" /* text, errno: hob itself could not */
#define WIRE_METHOD_NOT_FOUND WIRE_SERVICE_INTERFACE ".MethodNotFound"	     /* method */
#define WIRE_INVALID_PARAMETER WIRE_SERVICE_INTERFACE ".InvalidParameter"    /* parameter */
#define WIRE_INTERFACE_NOT_FOUND WIRE_SERVICE_INTERFACE ".InterfaceNotFound" /* interface */

/* The Varlink description of an interface by name, or NULL: answers GetInterfaceDescription. */
const char *wire_interface_description(const char *interface);
/* The names of the interfaces, NULL-terminated: for GetInfo. */
extern const char *const wire_interfaces[];
